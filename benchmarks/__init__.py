"""What cortexsim reaches, and how fast: ``python -m benchmarks`` lists the commands, one module each."""
