# SPDX-License-Identifier: MIT
# The words of JSON Schema that bench/schema.json uses: prints each violation; nothing is good.
#   jq -r --slurpfile schema bench/schema.json -f validate.jq run.json
def is_type($name):
  if $name == "integer" then type == "number" and . == floor else type == $name end;

def violations($schema; $at):
  . as $value
  | if $schema["$ref"] then
      ($schema["$ref"] | ltrimstr("#/") | split("/")) as $path
      | violations($ARGS.named.schema[0] | getpath($path); $at)
    else
      (if $schema.type and ($value | is_type($schema.type) | not)
         then "\($at): not of type \($schema.type)" else empty end),
      (if ($schema | has("const")) and $value != $schema.const
         then "\($at): not \($schema.const)" else empty end),
      (if $schema.enum and ($schema.enum | index([$value]) | not)
         then "\($at): none of \($schema.enum)" else empty end),
      (if $schema.minimum and ($value | type) == "number" and $value < $schema.minimum
         then "\($at): below \($schema.minimum)" else empty end),
      (if $schema.maximum and ($value | type) == "number" and $value > $schema.maximum
         then "\($at): above \($schema.maximum)" else empty end),
      (if $schema.minItems and ($value | type) == "array" and ($value | length) < $schema.minItems
         then "\($at): fewer than \($schema.minItems) items" else empty end),
      (if $schema.maxItems and ($value | type) == "array" and ($value | length) > $schema.maxItems
         then "\($at): more than \($schema.maxItems) items" else empty end),
      (if $schema.required and ($value | type) == "object"
         then $schema.required[] as $name | select($value | has($name) | not)
           | "\($at): lacks \($name)" else empty end),
      (if $schema.properties and ($value | type) == "object"
         then $schema.properties | keys[] as $name | select($value | has($name))
           | .[$name] as $inner | $value[$name] | violations($inner; "\($at).\($name)")
         else empty end),
      (if $schema.items and ($value | type) == "array"
         then range($value | length) as $i | $value[$i] | violations($schema.items; "\($at)[\($i)]")
         else empty end),
      (if $schema.oneOf
         then [$schema.oneOf[] as $one | $value | [violations($one; $at)] | length == 0]
           | map(select(.)) | if length == 1 then empty else "\($at): fits \(length) of oneOf" end
         else empty end)
    end;

violations($schema[0]; "run")
