# Changes the root file system in every way that a layer must carry, then counts.
cd /data
rm /etc/motd; rm -r gone; rm -r old; mkdir old; echo new >old/n     # gone; gone and made again
ln -s /bin/busybox link; echo twice >hard1; ln hard1 hard2; mkfifo pipe
cp /bin/busybox suid; chmod 4755 suid
echo text >'naïve – 文件'; touch "$(printf '%0200d' 0)"
dd if=/dev/zero of=sparse bs=1 count=1 seek=104857600 2>/dev/null
dd if=/dev/urandom of=large bs=1048576 count=1 2>/dev/null
. /programs/counter.sh
