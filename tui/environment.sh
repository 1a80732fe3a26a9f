# Sourced by tui/start, tests/run and .ci/run, with TOP the folder of the clone: a virtual environment
# with the program in it, and packages of Debian's or Ubuntu's where they may be installed.

say() { printf '%s\n' "$*" >&2; }

find_python() {  # prints the first Python that is new enough
    for python in "${PYTHON:-python3}" python3.14 python3.13 python3.12 python3.11; do
        if "$python" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then
            echo "$python"
            return
        fi
    done
    return 1
}

apt_install() {  # apt_install PACKAGE ...: those that are missing; fails where it may not
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
    say "Installing$missing"
    log=$(mktemp)
    # The lists of packages may be old, or not there yet: then once more with fresh ones.
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

environment() {  # environment FOLDER PIP-ARGUMENT ...: made once, and again when what it is made of changes
    folder=$1
    shift
    made_of="$* $(cksum <"$TOP/pyproject.toml")"
    if [ -x "$folder/bin/python" ] && [ "$(cat "$folder/made-of" 2>/dev/null)" = "$made_of" ]; then
        return
    fi
    if ! python=$(find_python) && ! { apt_install python3 python3-venv && python=$(find_python); }; then
        say "There is no Python 3.11 or newer here. Install one, or name it in PYTHON."
        exit 1
    fi
    if ! "$python" -c 'import ensurepip, venv' 2>/dev/null; then
        venv=$("$python" -c 'import sys; print("python%d.%d-venv" % sys.version_info[:2])')
        if ! apt_install "$venv"; then
            say "$python cannot make virtual environments: $venv is not installed, and may not be" \
                "installed from here. Install it, as with: sudo apt-get install $venv"
            exit 1
        fi
    fi
    say "Preparing $folder"
    [ -x "$folder/bin/python" ] || "$python" -m venv --clear "$folder"
    if ! "$folder/bin/python" -m pip install -qq --upgrade 'pip>=25.1' </dev/null ||
        ! "$folder/bin/python" -m pip install -qq "$@" </dev/null; then
        say "The Python packages could not be installed into $folder; pip says why above."
        exit 1
    fi
    echo "$made_of" >"$folder/made-of"
}

developer_environment() { environment "$TOP/.venv" --editable "$TOP" --group "$TOP/pyproject.toml:dev"; }
