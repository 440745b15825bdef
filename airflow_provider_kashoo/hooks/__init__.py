"""Airflow connections become sessions, clients and the sync store."""
