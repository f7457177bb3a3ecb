"""The engines that collections live on: what each of them can do, and how one is opened by its address."""
