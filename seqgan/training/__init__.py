"""Training: MLE pretraining, the discriminator, adversarial rounds, and the run's folder."""
