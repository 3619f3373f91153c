"""Making ready: models, their forms, environments, references, inputs."""
