# Three images: every step of the pipeline (the last stage), the page, and the embedded model server.
#
#   docker build -t emotion-pipeline:0.1.0 .
#   docker build -t emotion-page:0.1.0 --target page .
#   docker build -t emotion-server:0.1.0 --target server .
#
# STACK is that of the lock, and BASE has pip and a Python for it: of py311-py313, for TFX 1.21,
#
#   docker build -t emotion-pipeline:0.1.0-tfx1.21 \
#     --build-arg STACK=py311-py313 --build-arg BASE=python:3.13.7-slim-trixie .
#
# BUILD_BASE is used for installing alone and leaves nothing in the image: the same base, with a certificate or
# a package index of your own where the network asks for one.
ARG BASE=python:3.10.16-slim-bookworm
ARG BUILD_BASE=${BASE}

FROM ${BUILD_BASE} AS build
WORKDIR /build
# Some of the locked packages are published as source alone.
RUN apt-get update \
 && apt-get install -y --no-install-recommends g++ libc6-dev \
 && rm -rf /var/lib/apt/lists/*
COPY requirements/image requirements/image
COPY setup.py README.md LICENSE NOTICE ./
COPY pipeline pipeline
COPY components components
COPY serving serving
COPY src src
COPY emotion-faces emotion-faces

FROM build AS build-page
ARG STACK=py310
RUN sh requirements/image/install.sh ${STACK} page ./emotion-faces

FROM build AS build-server
ARG STACK=py310
RUN sh requirements/image/install.sh ${STACK} server ./emotion-faces

FROM build AS build-pipeline
ARG STACK=py310
RUN sh requirements/image/install.sh ${STACK} pipeline . ./emotion-faces

FROM ${BASE} AS confined
# The launcher of Kubeflow Pipelines runs in this container, as this user, and keeps its copies of
# artifacts under /minio, /s3 and /gcs.
RUN useradd --uid 10001 --user-group --create-home emotion \
 && install -d -o emotion -g emotion /minio /s3 /gcs /mnt/data /mnt/models
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

FROM confined AS page
COPY --from=build-page /opt/venv /opt/venv
COPY --from=build-page /opt/emotion /opt/emotion

FROM confined AS server
COPY --from=build-server /opt/venv /opt/venv
COPY --from=build-server /opt/emotion /opt/emotion

FROM confined
COPY --from=build-pipeline /opt/venv /opt/venv
COPY --from=build-pipeline /opt/emotion /opt/emotion
