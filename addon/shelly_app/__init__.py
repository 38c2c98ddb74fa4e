"""The app's own logic: from what a person sets to running, configured services."""
