#!/bin/sh
# Publish a small application and its runtime as Flatpaks in ~/repo, signed, and serve them on port 8080.
#   publish.sh WORDS    what the application prints; called again, it publishes an update
set -eu
cd ~
arch=$(flatpak --default-arch)
gpg="gpg --homedir $HOME/keys --batch --quiet"
if [ ! -d keys ]; then
  mkdir -m 0700 keys
  $gpg --passphrase '' --quick-generate-key 'Flatpaks <flatpak@mv.example>' ed25519 sign never
  mkdir -p platform/files platform/usr/bin platform/usr/lib hello/files/bin hello/export/share/applications hello/var/tmp
  cp /bin/busybox platform/usr/bin/sh
  cat >platform/metadata <<END
[Runtime]
name=example.mv.Platform
runtime=example.mv.Platform/$arch/stable
sdk=example.mv.Platform/$arch/stable
END
  cat >hello/metadata <<END
[Application]
name=example.mv.Hello
runtime=example.mv.Platform/$arch/stable
command=hello
END
  printf '[Desktop Entry]\nType=Application\nName=Hello\nExec=hello\n' \
    >hello/export/share/applications/example.mv.Hello.desktop
  flatpak build-export --runtime --gpg-homedir=keys --gpg-sign=flatpak@mv.example repo platform stable
fi
printf '#!/bin/sh\necho %s\n' "$1" >hello/files/bin/hello
chmod 755 hello/files/bin/hello
flatpak build-export --gpg-homedir=keys --gpg-sign=flatpak@mv.example repo hello stable
flatpak build-update-repo --gpg-homedir=keys --gpg-sign=flatpak@mv.example repo
sudo systemctl is-active --quiet publish ||
  sudo systemd-run --quiet --unit=publish --working-directory="$HOME/repo" python3 -m http.server 8080
until python3 -c 'import urllib.request as r; r.urlopen("http://127.0.0.1:8080/summary")' 2>/dev/null; do sleep 0.2; done
$gpg --export --armor flatpak@mv.example
