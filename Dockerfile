# syntax=docker/dockerfile:1
# docker build -t mien .                                   the laptop's voice and presenters
# docker build -t mien --build-arg EXTRAS=neural,edge .    more voices; see pyproject.toml
FROM python:3.12-slim-bookworm AS build
ARG EXTRAS=""
WORKDIR /src
RUN python -m venv /opt/mien
# The pinned versions first: they change less often than the program and stay in their layer.
COPY requirements.lock pyproject.toml README.md LICENSE NOTICE ./
COPY src ./src
RUN --mount=type=cache,target=/root/.cache/pip \
    /opt/mien/bin/pip install --constraint requirements.lock ".${EXTRAS:+[$EXTRAS]}"

FROM python:3.12-slim-bookworm
RUN useradd --create-home --uid 10001 mien \
 && install --directory --owner mien /home/mien/.local/share/mien
COPY --from=build /opt/mien /opt/mien
ENV PATH=/opt/mien/bin:$PATH PYTHONUNBUFFERED=1 MIEN_HOST=0.0.0.0
USER 10001
# A mien.toml mounted here is read. Avatars, models and recordings live in the volume.
WORKDIR /home/mien
VOLUME /home/mien/.local/share/mien
EXPOSE 8000/tcp 40000-40049/udp
HEALTHCHECK --interval=15s --timeout=5s --start-period=60s CMD \
    ["python", "-c", "import urllib.request as r; r.urlopen('http://127.0.0.1:8000/healthz', timeout=4)"]
ENTRYPOINT ["mien"]
CMD ["run"]
