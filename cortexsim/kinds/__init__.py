"""One kind a file: the learning rules that come with cortexsim."""
