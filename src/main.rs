fn main() -> std::process::ExitCode {
    kairos_doctor::run::main()
}
