# Every outside library, from Debian 12's packages.
find_package(Python3 REQUIRED COMPONENTS Interpreter)
find_package(Threads REQUIRED)
find_package(Boost 1.81 REQUIRED)
find_package(OpenSSL 3 REQUIRED)
find_package(Protobuf REQUIRED)
find_package(SQLite3 REQUIRED)
find_package(ZLIB REQUIRED)
find_package(prometheus-cpp REQUIRED)
find_package(spdlog REQUIRED)
find_package(fmt REQUIRED)
find_package(yaml-cpp REQUIRED)
find_package(CLI11 REQUIRED)
find_package(ICU REQUIRED COMPONENTS uc)
find_package(GTest)  # the tests only

# RE2, Hyperscan (elsewhere than on amd64: Vectorscan, under the same name), nghttp2, jemalloc. Their
# pkg-config files say -pthread, which does not go with the shared precompiled header.
foreach(library re2 hs nghttp2 jemalloc)
    find_library(QUIRE_${library} ${library} REQUIRED)
    add_library(quire_${library} INTERFACE)
    target_link_libraries(quire_${library} INTERFACE ${QUIRE_${library}})
endforeach()

# Asio's and JSON's implementations are compiled once, in runtime/boost_impl.cpp.
add_library(boost_vocabulary INTERFACE)
target_link_libraries(boost_vocabulary INTERFACE Boost::headers Threads::Threads)
target_compile_definitions(boost_vocabulary INTERFACE
    BOOST_ASIO_SEPARATE_COMPILATION BOOST_ASIO_NO_DEPRECATED)
