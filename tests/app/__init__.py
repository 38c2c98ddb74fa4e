"""The app: options, rendering, broker, gateway, database, services, boards."""
