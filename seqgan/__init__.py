"""The toolkit: data, models, training, metrics, reports."""
