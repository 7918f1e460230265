"""The public door: report in steps, status, appeal. Nobody signs in; nothing about the visitor is kept."""
