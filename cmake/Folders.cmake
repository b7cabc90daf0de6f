# One static library per folder of src/. `quire_folder(runtime LINKS base)` makes quire_runtime out
# of every .cpp in that folder that is not a test, and adds its *_test.cpp to the unit tests.
set_property(GLOBAL PROPERTY QUIRE_UNIT_TESTS "")

function(quire_folder name)
    cmake_parse_arguments(ARG "NO_PCH" "" "PUBLIC;PRIVATE" ${ARGN})
    file(GLOB_RECURSE sources CONFIGURE_DEPENDS ${CMAKE_CURRENT_SOURCE_DIR}/*.cpp)
    set(tests ${sources})
    list(FILTER sources EXCLUDE REGEX "_test\\.cpp$")
    list(FILTER tests INCLUDE REGEX "_test\\.cpp$")
    string(REPLACE "/" "_" target ${name})
    add_library(quire_${target} STATIC ${sources})
    target_include_directories(quire_${target} PUBLIC ${CMAKE_SOURCE_DIR}/src)
    target_compile_options(quire_${target} PRIVATE ${QUIRE_WARNINGS})
    target_link_libraries(quire_${target} PUBLIC ${ARG_PUBLIC} PRIVATE ${ARG_PRIVATE})
    if(NOT ARG_NO_PCH)
        target_link_libraries(quire_${target} PUBLIC quire_pch)
        target_precompile_headers(quire_${target} REUSE_FROM quire_pch)
    endif()
    set_property(GLOBAL APPEND PROPERTY QUIRE_UNIT_TESTS ${tests})
    set_property(GLOBAL APPEND PROPERTY QUIRE_FOLDERS quire_${target})
endfunction()

# `quire_embed_migrations(target service)`: migrations/sqlite/NNNN_name.sql of the folder become
# storage::Migration values in a generated header "<service>_migrations.hpp", so that the binary
# carries its own schema.
function(quire_embed_migrations target service)
    file(GLOB scripts CONFIGURE_DEPENDS ${CMAKE_CURRENT_SOURCE_DIR}/migrations/sqlite/*.sql)
    set(header ${CMAKE_CURRENT_BINARY_DIR}/generated/${service}_migrations.hpp)
    add_custom_command(OUTPUT ${header}
        COMMAND ${Python3_EXECUTABLE} ${CMAKE_SOURCE_DIR}/tools/embed_migrations.py ${service} ${header} ${scripts}
        DEPENDS ${scripts} ${CMAKE_SOURCE_DIR}/tools/embed_migrations.py)
    target_sources(${target} PRIVATE ${header})
    target_include_directories(${target} PRIVATE ${CMAKE_CURRENT_BINARY_DIR}/generated)
endfunction()
