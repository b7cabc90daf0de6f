// The one place where Asio, its TLS part and Boost.JSON are compiled (see
// cmake/Dependencies.cmake).
#include <boost/asio/impl/src.hpp>
#include <boost/asio/ssl/impl/src.hpp>
#include <boost/json/src.hpp>
