"""What the studio serves besides its pages: endpoints, demonstrations, the theme, the installed app."""
