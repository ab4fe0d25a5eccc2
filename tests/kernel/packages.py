"""Packages that tests of kernels have preloaded, fetched by pip."""

WIDGETS = "ipywidgets==8.1.9"
