"""Networks T_Theta(Z): untrained, fitted to the one image (deep image prior)."""
