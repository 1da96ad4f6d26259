#!/bin/sh
# Writes .sqlx/ anew after a query or a migration changed: the types of every checked query, so that building needs no
# database. Needs the program sqlite3. Commit what it writes together with the change.
set -eu
cd "$(dirname "$0")"
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
for migration in migrations/*.sql; do
    # No query depends on this option, and sqlite3 before 3.42 does not know it.
    grep -v "'secure-delete'" "$migration" | sqlite3 -bail "$folder/schema.db"
done
rm -f .sqlx/query-*.json
touch src/lib.rs
DATABASE_URL="sqlite:$folder/schema.db" SQLX_OFFLINE_DIR="$PWD/.sqlx" cargo check -p store
