# A web server's worker with its database connection, as small as it can be: an established TCP
# connection on the loopback, a deleted file still open, a secret in the environment.
mkfifo /tmp/query /tmp/answer
exec 3>/tmp/requests.log; echo 'GET /account?id=7' >&3; rm /tmp/requests.log
nc -l -p 5432 <>/tmp/answer >/dev/null &
until grep -q ':1538 .* 0A ' /proc/net/tcp6; do :; done  # 0x1538 is 5432, 0A is listening
nc 127.0.0.1 5432 <>/tmp/query >/dev/null &
. /programs/counter.sh
