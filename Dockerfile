# The toolkit with its commands. On a CPU (torch's own index beside the usual one, which has the rest):
#   docker build -t seqgan --build-arg TORCH="--extra-index-url https://download.pytorch.org/whl/cpu torch==2.13.0+cpu" .
#   docker run --rm -v "$PWD:/work" seqgan run --data captions.txt --size quick
# On NVIDIA GPUs (torch from PyPI brings its CUDA libraries):
#   docker build -t seqgan .
#   docker run --rm --gpus all -v "$PWD:/work" seqgan run --data captions.txt
# With extras: --build-arg EXTRAS="[eval,digits,music]"
ARG BASE=python:3.11-slim
FROM ${BASE}

ARG TORCH="torch"
ARG EXTRAS=""
ENV VENV=/opt/seqgan
WORKDIR /source
COPY pyproject.toml constraints.txt README.md LICENSE ./
COPY rollout rollout
COPY seqgan seqgan
COPY benchmarks benchmarks

RUN python3 -m venv "$VENV"
RUN "$VENV/bin/pip" install --no-cache-dir --disable-pip-version-check -c constraints.txt $TORCH
RUN "$VENV/bin/pip" install --no-cache-dir --disable-pip-version-check -c constraints.txt ".$EXTRAS"
RUN "$VENV/bin/seqgan" run --size smoke --output_dir /tmp/smoke && rm -r /tmp/smoke

WORKDIR /work
ENTRYPOINT ["/opt/seqgan/bin/seqgan"]
CMD ["--help"]
