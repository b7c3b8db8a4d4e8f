"""What works token by token, whatever the tokens mean: streaming, transcripts and the recurrent net."""
