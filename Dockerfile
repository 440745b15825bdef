FROM python:3.11-slim-bookworm
WORKDIR /opt/airflow/src
ENV AIRFLOW_HOME=/opt/airflow PYTHONUNBUFFERED=1
COPY . .
RUN pip install --no-cache-dir -c constraints.txt '.[postgres]' && mkdir -p /opt/airflow/state
WORKDIR /opt/airflow
