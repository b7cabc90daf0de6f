# Compiled once, shared by every folder above base.
add_library(quire_pch STATIC ${CMAKE_SOURCE_DIR}/cmake/pch.cpp)
target_link_libraries(quire_pch PUBLIC boost_vocabulary fmt::fmt)
target_compile_options(quire_pch PRIVATE ${QUIRE_WARNINGS})
target_precompile_headers(quire_pch PRIVATE ${CMAKE_SOURCE_DIR}/cmake/pch.hpp)
