-- The number of players of a game session with free slots is indexed once instead of twice.
DELETE FROM resource_index
WHERE field = 'rank' AND scope >= 'gamelift/game-session|' AND scope < 'gamelift/game-session}'
  AND instr(value, '|playerSessionCount|') > 0
  AND EXISTS (
    SELECT 1 FROM resource_index AS free
    WHERE free.scope = resource_index.scope AND free.field = 'rank'
      AND free.value = replace(resource_index.value, '|playerSessionCount|', '|playerSessionCount+|')
      AND free.ord = resource_index.ord
  );
