"""The commands of ``airflow kashoo``."""
