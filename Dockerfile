# One image for every step of the pipeline, the embedded model server and the page.
#
#   docker build -t emotion-pipeline:0.1.0 .
#
# BASE has Python 3.10 and pip. BUILD_BASE is used for installing alone and leaves nothing in the image:
# the same base, with a certificate or a package index of your own where the network asks for one.
ARG BASE=python:3.10.16-slim-bookworm
ARG BUILD_BASE=${BASE}

FROM ${BUILD_BASE} AS build
WORKDIR /build
# Some of the locked packages are published as source alone.
RUN apt-get update \
 && apt-get install -y --no-install-recommends g++ libc6-dev \
 && rm -rf /var/lib/apt/lists/*
COPY requirements/image-py310.lock requirements/
RUN python3 -m venv /opt/venv \
 && /opt/venv/bin/pip install --no-cache-dir --require-hashes --no-deps -r requirements/image-py310.lock \
 && find /opt/venv -depth -type d \( -name tests -o -path '*/tornado/test' -o -path '*/tensorflow/include' \) -exec rm -rf {} +
COPY setup.py README.md LICENSE NOTICE ./
COPY pipeline pipeline
COPY components components
COPY serving serving
COPY src src
COPY emotion-faces emotion-faces
RUN /opt/venv/bin/pip install --no-cache-dir --no-deps --no-build-isolation --target /opt/emotion . ./emotion-faces \
 && /opt/venv/bin/python -m compileall -q /opt/emotion

FROM ${BASE}
# The launcher of Kubeflow Pipelines runs in this container, as this user, and keeps its copies of
# artifacts under /minio, /s3 and /gcs.
RUN useradd --uid 10001 --user-group --create-home emotion \
 && install -d -o emotion -g emotion /minio /s3 /gcs /mnt/data /mnt/models
COPY --from=build /opt/venv /opt/venv
COPY --from=build /opt/emotion /opt/emotion
# Matplotlib and TensorFlow look for a cache in the home directory, which may be read-only.
ENV PATH=/opt/emotion/bin:/opt/venv/bin:$PATH \
    PYTHONPATH=/opt/emotion \
    PYTHONDONTWRITEBYTECODE=1 \
    PYTHONUNBUFFERED=1 \
    MPLCONFIGDIR=/tmp/matplotlib \
    TF_USE_LEGACY_KERAS=1
USER 10001:10001
WORKDIR /home/emotion
ENTRYPOINT ["emotion"]
CMD ["--help"]
