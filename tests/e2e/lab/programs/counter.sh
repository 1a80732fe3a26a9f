# Counts the seconds into a file: two processes, no network; restores anywhere.
count=0
while :; do
    count=$((count + 1))
    echo $count >/tmp/count
    sleep 1
done
