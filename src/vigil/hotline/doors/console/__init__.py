"""The console door: where staff work."""
