# Compiler, warnings, sanitizers, and what makes the build fast: ccache, mold, one precompiled header.
set(CMAKE_CXX_STANDARD 20)
set(CMAKE_CXX_STANDARD_REQUIRED ON)
set(CMAKE_CXX_EXTENSIONS OFF)
set(CMAKE_CXX_FLAGS_RELEASE "-O2 -g1")
set(CMAKE_CXX_FLAGS_DEBUG "-O1 -g1")
# g++ collects its garbage less often: a tenth of the time for some more memory.
add_compile_options("SHELL:--param ggc-min-expand=200" "SHELL:--param ggc-min-heapsize=400000")

find_program(CCACHE ccache)
if(CCACHE)
    # -fpch-preprocess and this sloppiness are what ccache asks for with precompiled headers.
    set(CMAKE_CXX_COMPILER_LAUNCHER ${CMAKE_COMMAND} -E env
        CCACHE_SLOPPINESS=pch_defines,time_macros,include_file_mtime,include_file_ctime
        CCACHE_BASEDIR=${CMAKE_SOURCE_DIR} CCACHE_NOHASHDIR=1
        CCACHE_DEPEND=1  # a miss costs no second run of the preprocessor
        ${CCACHE})
    add_compile_options(-fpch-preprocess)
endif()

find_program(MOLD mold)
if(MOLD)
    add_link_options(-fuse-ld=mold)
endif()

set(QUIRE_SANITIZER "" CACHE STRING "address,undefined | thread | empty")
if(QUIRE_SANITIZER)
    add_compile_options(-fsanitize=${QUIRE_SANITIZER} -fno-omit-frame-pointer)
    add_link_options(-fsanitize=${QUIRE_SANITIZER})
    add_compile_definitions(QUIRE_CHECK_RESULTS)
endif()
if(QUIRE_SANITIZER MATCHES undefined)
    add_compile_options(-fno-sanitize-recover=undefined)
endif()
if(QUIRE_SANITIZER STREQUAL thread)
    add_compile_options(-Wno-tsan)  # Asio's fences warn; they are not in what the tests share
endif()

add_compile_options(-D_GLIBCXX_ASSERTIONS -fstack-protector-strong)
if(CMAKE_BUILD_TYPE STREQUAL Release)
    add_compile_options(-D_FORTIFY_SOURCE=2)
endif()

# Our own code only; generated protobuf code is compiled without these.
set(QUIRE_WARNINGS -Wall -Wextra -Wpedantic -Wshadow -Wconversion -Wno-sign-conversion
    -Wno-mismatched-new-delete  # false alarm on the frames of Asio's coroutines
    -Werror)
if(QUIRE_SANITIZER)
    # Instrumented code confuses this one; the release build keeps it.
    list(APPEND QUIRE_WARNINGS -Wno-maybe-uninitialized)
endif()
