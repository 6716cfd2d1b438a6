# Runs one command of a hook: sh dispatch.sh SHIPPED HOOK NAME WORDS. Long options become shell variables: --nvm=8 is __nvm=8.
set -u
shipped=$1 hook=$2 cmd=$3
shift 3
. "$shipped"
[ "$hook" = "$shipped" ] || . "$hook"
while [ $# -gt 0 ]; do
  case $1 in
    --)
      shift
      break
      ;;
    --[a-z]*=*)
      option=${1#--}
      value=${option#*=}
      option=$(printf '%s' "${option%%=*}" | tr -c 'a-zA-Z0-9' _)
      export "__$option=$value"
      ;;
    --[a-z]*) export "__$(printf '%s' "${1#--}" | tr -c 'a-zA-Z0-9' _)=yes" ;;
    *) break ;;
  esac
  shift
done
if command -v prepare >/dev/null; then prepare; fi
"cmd_$cmd" "$@"
