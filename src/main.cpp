#include "app/cli.hpp"

int main(int argc, char** argv) { return quire::app::run_cli(argc, argv); }
