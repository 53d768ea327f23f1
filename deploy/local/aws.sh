# Runs ministack, and takes note if it was not stopped properly: it keeps what it knows when it is stopped, and objects of
# S3 at once.
set -uo pipefail
kept=/var/lib/ministack
[ ! -e $kept/running ] || touch $kept/killed
touch $kept/running
is_stopped=
ministack &
trap 'is_stopped=1; kill -TERM $!' TERM INT
wait $!
status=$?
# The first wait is over when the signal comes.
if [ -n "$is_stopped" ]; then
  wait $!
  status=$?
  [ $status != 0 ] || rm $kept/running
fi
exit $status
