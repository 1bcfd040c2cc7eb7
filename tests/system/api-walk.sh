#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# api-walk.sh [BUILD] - the contract (api/openapi.yaml) against the running daemon: the same routes on
# both sides, every reference resolved, every answer with a documented status, content type and the
# required fields, 405 with Allow for every method that a path does not list.
set -uo pipefail
. "$(dirname "$0")/lib.sh"

need_built "$hvmd"
work=$(mktemp -d)
images=$work/storage # no guest is booted: an image that exists is enough
mkdir "$images"
trap 'stop_hvmd; rm -rf "$work"' EXIT
contract=$work/openapi.json

# check TITLE COMMAND... - one test: does the command succeed?
check() {
	local title=$1
	shift
	if "$@" >"$work/why" 2>&1; then
		ok "$title"
	else
		not_ok "$title"
		head -n 20 "$work/why" | sed 's/^/# /'
	fi
}

# request METHOD PATH [CURL-ARGUMENT...] - sets $status, $type; body and header in $work.
request() {
	local method=$1 path=$2
	shift 2
	rm -f "$work/body" "$work/header"
	read -r status type < <(curl -sS --max-time 30 --unix-socket "$hvmd_socket" -X "$method" \
		-o "$work/body" -D "$work/header" -w '%{http_code} %{content_type}\n' "$@" \
		"http://localhost$path")
	type=${type%%;*}
}

# The lookup of a JSON reference and of what it leads to.
jq_lib='def deref($root): if type == "object" and has("$ref")
	then (.["$ref"] | ltrimstr("#/") | split("/")) as $p | $root | getpath($p) | deref($root)
	else . end;'

# conforms METHOD PATTERN - the last answer against the contract. "required" and "type" are checked in
# the top object, which is where every schema here has them.
conforms() {
	jq -e -r --arg method "${1,,}" --arg path "$2" --arg status "$status" --arg type "$type" \
		--slurpfile body <(jq -c . "$work/body" 2>/dev/null || echo null) "$jq_lib"'
		. as $root | .paths[$path][$method].responses[$status] as $r |
		if $r == null then "status \($status) is not documented" | halt_error(1) else . end |
		$r | deref($root) | .content as $content |
		if $content == null then
			if $status == "204" then true else "no content is documented" | halt_error(1) end
		elif $content[$type] == null then
			"content type \($type) is not documented for \($status)" | halt_error(1)
		elif ($type | test("json$")) then
			($content[$type].schema | deref($root)) as $schema |
			(($schema.required // []) - ($body[0] | keys)) as $missing |
			if ($body[0] | type) != "object" then "not an object" | halt_error(1)
			elif $missing != [] then "missing: \($missing)" | halt_error(1)
			elif $schema.properties then
				(($body[0] | keys) - ($schema.properties | keys) -
				 ([$schema.allOf[]?.properties | keys[]])) as $more |
				if $more != [] then "not documented: \($more)" | halt_error(1)
				else true end
			else true end
		else true end' "$contract"
}

# walk METHOD PATTERN PATH WANTED [CURL-ARGUMENT...] - one request that must give status WANTED.
walk() {
	local method=$1 pattern=$2 path=$3 wanted=$4
	shift 4
	request "$method" "$path" "$@"
	if [ "$status" != "$wanted" ]; then
		not_ok "$method $path: wanted $wanted, got $status: $(head -c 300 "$work/body")"
	else
		check "$method $path: $status as documented" conforms "$method" "$pattern"
	fi
}

start_hvmd "$work/state" || {
	not_ok "hvmd starts"
	exit 1
}
ok "hvmd starts"

request GET /openapi.json
check "the contract is served as JSON" test "$status $type" = "200 application/json"
cp "$work/body" "$contract"
request GET /openapi.yaml
check "the contract is served as YAML, as it is in the tree" cmp "$work/body" "$root/api/openapi.yaml"
jq -r '.paths | to_entries[] | .key as $path | .value | keys[] |
	select(. != "parameters") | "\(ascii_upcase) \($path)"' "$contract" | sort >"$work/documented"
"$hvmd" --routes | sort >"$work/routes"
check "the daemon's route table and the contract agree" diff "$work/documented" "$work/routes"
check "every reference in the contract leads somewhere" jq -e '. as $root |
	[.. | objects | .["$ref"]? // empty | select(
		(ltrimstr("#/") | split("/")) as $p | $root | getpath($p) == null)] |
	if . == [] then true else tostring | halt_error(1) end' "$contract"
check "no operationId is there twice" jq -e '[.paths[][] | objects | .operationId] |
	length == (unique | length)' "$contract"

# The codes in the sources and those in the contract.
grep -hoE 'problem_(set|field)\([^;]*' "$root"/hvmd/*/*.c "$root"/hvmd/*.c -z 2>/dev/null |
	tr -d '\0' | grep -oE '"[a-z]+(-[a-z]+)+"' | tr -d '"' | sort -u >"$work/codes"
jq -r '.components.schemas.ProblemCode.enum[]' "$contract" | sort >"$work/documented-codes"
check "every problem code of the daemon is documented" diff <(comm -23 "$work/codes" \
	"$work/documented-codes") /dev/null
check "every documented problem code is in the daemon" diff <(
	while read -r code; do
		grep -qrF "\"$code\"" "$root/hvmd" || echo "$code"
	done <"$work/documented-codes"
) /dev/null

# Every path: a method it lacks answers 405 and says which it has.
while read -r path; do
	url=${path//"{id}"/nobody}
	allowed=$(awk -v p="$path" '$2 == p { print $1 }' "$work/documented" | sort | xargs)
	for method in GET POST PUT PATCH DELETE; do
		[[ " $allowed " != *" $method "* ]] || continue
		request "$method" "$url"
		allow=$(sed -n 's/^[Aa]llow: *//p' "$work/header" | tr -d '\r' | tr ',' '\n' | xargs -n1 |
			sort | xargs)
		[ "$status" = 405 ] && [ "$allow" = "$allowed" ] &&
			[ "$(jq -r .code "$work/body")" = method-not-allowed ] || break
	done
	check "$path: 405 with Allow: $allowed for other methods" \
		test "$status $allow" = "405 $allowed"
done < <(awk '{ print $2 }' "$work/documented" | sort -u)
request GET /v1/nothing
check "an unknown path: 404 not-found" test "$status $(jq -r .code "$work/body")" = "404 not-found"

# Every documented method, against nothing, against a domain, and with bodies that are no good.
json=(-H 'Content-Type: application/json')
truncate -s 1M "$images/disk.raw"
echo 'no kernel' >"$images/kernel"
for path in /healthz /version /metrics /openapi.yaml /openapi.json /v1/host /v1/domains /v1/operations; do
	walk GET "$path" "$path" 200
done
body='{"name": "walk", "memory_mib": 64, "disks": [{"id": "root", "path": "'$images'/disk.raw"}]}'
walk POST /v1/domains /v1/domains 201 "${json[@]}" -d "$body"
etag=$(sed -n 's/^[Ee][Tt]ag: *//p' "$work/header" | tr -d '\r')
check "a new domain has an ETag and a Location" grep -qi '^location: /v1/domains/' "$work/header"
walk POST /v1/domains /v1/domains 409 "${json[@]}" -d "$body"
walk POST /v1/domains /v1/domains 400 "${json[@]}" -d '{'
walk POST /v1/domains /v1/domains 415 -H 'Content-Type: text/xml' -d '<x/>'
walk POST /v1/domains /v1/domains 422 "${json[@]}" -d '{"name": "walk2", "vcpus": 0}'
walk POST /v1/domains /v1/domains 400 "${json[@]}" -H 'Idempotency-Key: a b' -d "$body"
walk GET /v1/domains '/v1/domains?limit=0' 422
walk GET /v1/events '/v1/events?since=0' 200 --max-time 1 --no-show-error
walk GET /v1/events '/v1/events?since=1000000' 422
walk GET /v1/domains '/v1/domains?state=defined' 200
check "the list has it" jq -e '.domains | length == 1 and .[0].name == "walk"' "$work/body"

one='/v1/domains/{id}'
walk GET $one /v1/domains/walk 200
walk GET $one /v1/domains/nobody 404
walk PUT $one /v1/domains/walk 412 "${json[@]}" -H 'If-Match: "999"' -d "$body"
walk PUT $one /v1/domains/walk 200 "${json[@]}" -H "If-Match: $etag" -d "$body"
walk PUT $one /v1/domains/nobody 404 "${json[@]}" -d "$body"
walk PUT $one /v1/domains/walk 400 "${json[@]}" -d '['
walk PUT $one /v1/domains/walk 415 -H 'Content-Type: text/xml' -d '<x/>'
walk PUT $one /v1/domains/walk 422 "${json[@]}" -d '{"name": "walk", "vcpus": "two"}'
walk PATCH $one /v1/domains/walk 200 -H 'Content-Type: application/merge-patch+json' -d '{"vcpus": 2}'
walk PATCH $one /v1/domains/walk 422 "${json[@]}" -d '{"flavour": 1}'
walk PATCH $one /v1/domains/walk 412 "${json[@]}" -H 'If-Match: "1"' -d '{"vcpus": 1}'
walk PATCH $one /v1/domains/nobody 404 "${json[@]}" -d '{}'
walk GET $one/console /v1/domains/walk/console 200
walk GET $one/console '/v1/domains/walk/console?tail_kib=0' 422
walk GET $one/console /v1/domains/nobody/console 404
upgrade=(-H 'Connection: Upgrade' -H 'Upgrade: websocket')
walk GET $one/console /v1/domains/walk/console 426 "${upgrade[@]}"
check "426 names the version" grep -qi '^sec-websocket-version: 13' "$work/header"
upgrade+=(-H 'Sec-WebSocket-Version: 13')
walk GET $one/console /v1/domains/walk/console 400 "${upgrade[@]}" -H 'Sec-WebSocket-Key: short'
walk GET $one/console /v1/domains/walk/console 409 "${upgrade[@]}" \
	-H 'Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ=='
walk GET $one/screenshot /v1/domains/walk/screenshot 409
walk GET $one/screenshot /v1/domains/nobody/screenshot 404
for action in shutdown stop reboot reset pause resume nmi; do
	walk POST $one/$action /v1/domains/walk/$action 409
	walk POST $one/$action /v1/domains/nobody/$action 404
	walk POST $one/$action /v1/domains/walk/$action 422 "${json[@]}" -d '{"hard": true}'
	walk POST $one/$action /v1/domains/walk/$action 412 -H 'If-Match: "999"'
done
walk POST $one/send-key /v1/domains/walk/send-key 409 "${json[@]}" -d '{"keys": ["ret"]}'
walk POST $one/send-key /v1/domains/walk/send-key 422 "${json[@]}" -d '{"keys": []}'
walk POST $one/send-key /v1/domains/walk/send-key 400 "${json[@]}"

# A start is accepted and fails in ioemu (no kernel), or is refused when ioemu is not there.
walk PATCH $one /v1/domains/walk 200 "${json[@]}" \
	-d '{"boot": {"kernel": "'"$images"'/kernel", "firmware": null, "order": null}}'
if [ -x "$ioemu" ]; then
	walk POST $one/start /v1/domains/walk/start 200 -H 'Prefer: wait=20'
	check "its operation failed with a code" jq -e \
		'.state == "failed" and (.error.code | length) > 0' "$work/body"
	operation=$(jq -r .id "$work/body")
	walk GET '/v1/operations/{id}' "/v1/operations/$operation" 200
	walk GET '/v1/operations/{id}/wait' "/v1/operations/$operation/wait?timeout_s=1" 200
	walk GET '/v1/operations/{id}/wait' "/v1/operations/$operation/wait?timeout_s=soon" 422
	walk GET /v1/operations '/v1/operations?domain=walk' 200
	check "the list has it" jq -e --arg id "$operation" '.operations[0].id == $id' "$work/body"
else
	walk POST $one/start /v1/domains/walk/start 500
fi
walk GET '/v1/operations/{id}' /v1/operations/none 404
walk GET '/v1/operations/{id}/wait' /v1/operations/none/wait 404
walk POST $one/start /v1/domains/nobody/start 404
walk DELETE $one /v1/domains/walk 412 -H 'If-Match: "999"'
walk DELETE $one /v1/domains/walk 204
walk DELETE $one /v1/domains/walk 404
echo "1..$test_number"
[ "$test_failures" = 0 ]
