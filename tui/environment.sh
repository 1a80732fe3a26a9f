# Sourced by tui/start, tests/run and .ci/run. TOP is the root of the clone. Creates a virtual
# environment with the program in it, and installs Debian or Ubuntu packages where it can.

say() { printf '%s\n' "$*" >&2; }

find_python() {  # prints the first Python that is 3.11 or newer
    for python in "${PYTHON:-python3}" python3.14 python3.13 python3.12 python3.11; do
        if "$python" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then
            echo "$python"
            return
        fi
    done
    return 1
}

apt_install() {  # apt_install PACKAGE ...: installs the missing ones; fails without apt-get or root
    missing=
    for package; do
        dpkg-query -W -f '${Status}' "$package" 2>/dev/null | grep -q ' installed$' ||
            missing="$missing $package"
    done
    [ -n "$missing" ] || return 0
    command -v apt-get >/dev/null || return 1
    as_root=env
    if [ "$(id -u)" != 0 ]; then
        sudo -n true 2>/dev/null || return 1
        as_root='sudo -n env'
    fi
    say "Running apt-get as root to install:$missing"
    log=$(mktemp)
    # The package lists may be old or missing: try again after an update.
    # shellcheck disable=SC2086 # the packages are words
    for refresh in : "$as_root apt-get -q update"; do
        if $refresh && $as_root DEBIAN_FRONTEND=noninteractive \
            apt-get -qy install --no-install-recommends $missing; then
            rm "$log"
            return
        fi </dev/null >>"$log" 2>&1
    done
    tail -n 5 "$log" >&2
    rm "$log"
    return 1
}

environment() {  # environment FOLDER PIP-ARGUMENT ...: created once, updated when its inputs change
    folder=$1
    shift
    made_of="$* $(cat "$TOP/pyproject.toml" "$TOP/constraints.txt" | cksum)"
    if [ -x "$folder/bin/python" ] && [ "$(cat "$folder/made-of" 2>/dev/null)" = "$made_of" ]; then
        return
    fi
    if ! python=$(find_python) && ! { apt_install python3 python3-venv && python=$(find_python); }; then
        say "Python 3.11 or newer not found. Install it, or set PYTHON to its path."
        exit 1
    fi
    if ! "$python" -c 'import ensurepip, venv' 2>/dev/null; then
        venv=$("$python" -c 'import sys; print("python%d.%d-venv" % sys.version_info[:2])')
        if ! apt_install "$venv"; then
            say "$python cannot create virtual environments, because $venv is not installed." \
                "Install it, for example with: sudo apt-get install $venv"
            exit 1
        fi
    fi
    say "Installing Python packages into $folder"
    [ -x "$folder/bin/python" ] || "$python" -m venv --clear "$folder"
    if ! "$folder/bin/python" -m pip install -qq --upgrade 'pip>=25.1' </dev/null ||
        ! "$folder/bin/python" -m pip install -qq "$@" </dev/null; then
        say "Installing Python packages into $folder failed; see the output of pip above."
        exit 1
    fi
    echo "$made_of" >"$folder/made-of"
}

developer_environment() {
    environment "$TOP/.venv" --editable "$TOP" --group "$TOP/pyproject.toml:dev" \
        --constraint "$TOP/constraints.txt"
}
