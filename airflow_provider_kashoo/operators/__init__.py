"""Thin operators: read parameters, call a step, say the outcome in Airflow's words."""
