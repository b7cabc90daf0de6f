# Compiled once, shared by every folder above base.
add_library(quire_pch STATIC ${CMAKE_SOURCE_DIR}/cmake/pch.cpp)
target_link_libraries(quire_pch PUBLIC boost_vocabulary fmt::fmt)
target_compile_options(quire_pch PRIVATE ${QUIRE_WARNINGS})
target_precompile_headers(quire_pch PRIVATE ${CMAKE_SOURCE_DIR}/cmake/pch.hpp)

# The tests' own, with GoogleTest in it. Compiling them takes longer than running them, so they are
# optimized less; what they test is not.
if(CMAKE_BUILD_TYPE STREQUAL Release)
    set(QUIRE_TEST_OPTIONS -O1 -Wno-array-bounds -Wno-stringop-overflow)  # false alarms
endif()
if(GTest_FOUND)
    add_library(quire_test_pch STATIC ${CMAKE_SOURCE_DIR}/cmake/pch.cpp)
    target_link_libraries(quire_test_pch PUBLIC quire_pch GTest::gmock)
    target_compile_options(quire_test_pch PRIVATE ${QUIRE_WARNINGS} ${QUIRE_TEST_OPTIONS})
    target_precompile_headers(quire_test_pch PRIVATE ${CMAKE_SOURCE_DIR}/cmake/test_pch.hpp)
endif()
