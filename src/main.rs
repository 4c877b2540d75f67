//! The program: everything is in the command line and below.

fn main() -> std::process::ExitCode {
    fedbridge::cli::main()
}
