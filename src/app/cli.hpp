#pragma once

namespace quire::app {

/// The command line: 0 done, 1 failed, 2 wrong usage or configuration. stdout carries data only.
int run_cli(int argc, char** argv);

}  // namespace quire::app
