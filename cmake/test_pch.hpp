// The precompiled header of the test programs.
#include "pch.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
