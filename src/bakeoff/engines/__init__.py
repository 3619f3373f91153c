"""The contenders: one folder per framework, and the catalogue that reads them."""
