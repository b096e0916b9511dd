"""What is needed to release and run the program: building, the offline installer, systemd units, a container."""
