"""How fast cortexsim is, beside what the machine allows and what others reach."""
