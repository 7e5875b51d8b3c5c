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

FROM ${BUILD_BASE} AS build
WORKDIR /build
# Some of the locked packages are published as source alone.
RUN apt-get update \
 && apt-get install -y --no-install-recommends g++ libc6-dev \
 && rm -rf /var/lib/apt/lists/*
COPY requirements/image requirements/image

# The project: /opt/faces is emotion-faces alone, /opt/pipeline both distributions.
FROM build AS project
ARG STACK=py310
# Not in ./build: what lies there goes into the wheels.
RUN python3 -m venv /opt/build \
 && /opt/build/bin/pip install --no-cache-dir --require-hashes --no-deps -r requirements/image/build-${STACK}.lock
COPY setup.py README.md LICENSE NOTICE ./
COPY pipeline pipeline
COPY components components
COPY serving serving
COPY src src
COPY emotion-faces emotion-faces
RUN /opt/build/bin/pip install --no-cache-dir --no-deps --no-build-isolation --target /opt/faces ./emotion-faces \
 && /opt/build/bin/pip install --no-cache-dir --no-deps --no-build-isolation --target /opt/pipeline . ./emotion-faces \
 && sed -i '1s|^#!.*|#!/opt/venv/bin/python|' /opt/*/bin/* \
 && /opt/build/bin/python -m compileall -q /opt/faces /opt/pipeline \
 && ! ls /opt/faces /opt/pipeline | grep -vE '^(/opt/.*:|bin|emotion_(faces|pipeline)(-.*)?|)$'

FROM build AS packages-page
ARG STACK=py310
RUN sh requirements/image/install.sh ${STACK} page

FROM confined AS page
COPY --from=packages-page /opt/venv /opt/venv
COPY --from=project /opt/faces /opt/emotion

FROM build AS packages-server
ARG STACK=py310
RUN sh requirements/image/install.sh ${STACK} server

FROM confined AS server
COPY --from=packages-server /opt/venv /opt/venv
COPY --from=project /opt/faces /opt/emotion

FROM build AS packages-pipeline
ARG STACK=py310
RUN sh requirements/image/install.sh ${STACK} pipeline

FROM confined
COPY --from=packages-pipeline /opt/venv /opt/venv
COPY --from=project /opt/pipeline /opt/emotion
