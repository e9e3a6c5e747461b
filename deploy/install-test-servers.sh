#!/usr/bin/env bash
# Install what the tests drive besides Python: Chromium, a real S3 server (Ceph's radosgw), Slurm with
# its accounts, sshd.
set -euo pipefail
wanted=()
command -v chromium >/dev/null || wanted+=(chromium)
command -v radosgw >/dev/null || wanted+=(ceph-mon ceph-osd radosgw)
command -v slurmctld >/dev/null && command -v slurmd >/dev/null || wanted+=(slurm-wlm)
[ -x /usr/sbin/sshd ] || wanted+=(openssh-server)
command -v rsync >/dev/null || wanted+=(rsync)
command -v slurmdbd >/dev/null || wanted+=(slurmdbd)
command -v mariadbd >/dev/null || wanted+=(mariadb-server)
command -v munged >/dev/null || wanted+=(munge)
[ ${#wanted[@]} -eq 0 ] && exit 0
if [ "$(id -u)" -ne 0 ] || ! command -v apt-get >/dev/null; then
  echo "Please install ${wanted[*]} (Debian package names); tests that need them would fail." >&2
  exit 1
fi
apt-get update -qq
DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "${wanted[@]}" >/dev/null
