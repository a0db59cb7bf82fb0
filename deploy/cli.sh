#!/bin/sh
# Runs a command of `deno task cli` as the user of crude-functions.service, with its folders and its passphrase:
# deploy/cli.sh keyring verify
set -eu
unit=crude-functions.service
user=$(systemctl show --property=User --value "$unit")
exec systemd-run --quiet --collect --pipe --wait --service-type=exec \
  --property="User=$user" --property=UMask=0077 --property=LimitCORE=0 --property=MemorySwapMax=0 \
  --property=WorkingDirectory=/opt/crude-functions/current \
  --property=LoadCredential=keyring-passphrase:/etc/crude-functions/keyring-passphrase \
  --setenv=DENO_DIR=/opt/crude-functions/current/.deno-cache --setenv=NO_COLOR=1 \
  --setenv=DATA_DIR=/var/lib/crude-functions/data --setenv=CODE_DIR=/var/lib/crude-functions/code \
  /bin/sh -c 'export KEYRING_PASSPHRASE_FILE="$CREDENTIALS_DIRECTORY/keyring-passphrase"
    exec /usr/local/bin/deno task cli "$@"' sh "$@"
