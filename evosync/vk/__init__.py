"""VK's market as the engine sees it: calls packed, paced and translated."""
