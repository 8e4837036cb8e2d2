"""Everything the studio serves besides its pages: the API, read-only demonstrations, the theme, the installed app."""
