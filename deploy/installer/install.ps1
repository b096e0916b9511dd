# Install Fieldsync @VERSION@ from this folder, without a network:
#   powershell -ExecutionPolicy Bypass -File install.ps1 [-Target FOLDER]
param([string]$Target = "$env:LOCALAPPDATA\Programs\Fieldsync")
$ErrorActionPreference = "Stop"
$here = $PSScriptRoot

$python = Get-Command py, python -ErrorAction SilentlyContinue | Select-Object -First 1
if (-not $python) {
    Write-Error "Python is not installed. Install Python 3.11 or newer, then run this again."
}
& $python.Source -c "import sys; sys.exit(sys.version_info < (3, 11))"
if ($LASTEXITCODE -ne 0) {
    Write-Error "This Python is too old. Install Python 3.11 or newer, then run this again."
}
foreach ($line in Get-Content "$here\SHA256SUMS") {
    $sum, $name = $line -split "  ", 2
    if ((Get-FileHash -Algorithm SHA256 "$here\$name").Hash -ne $sum) {
        Write-Error "This folder is damaged ($name): copy it again."
    }
}
& $python.Source -m venv --clear $Target
$env:PIP_CONFIG_FILE = "NUL"
$pip = @("-m", "pip", "--isolated", "install", "--quiet", "--disable-pip-version-check", "--no-index")
& "$Target\Scripts\python.exe" @pip --find-links "$here\wheels" --require-hashes --requirement "$here\requirements.txt"
if ($LASTEXITCODE -ne 0) { Write-Error "The installation failed." }
& "$Target\Scripts\python.exe" @pip --no-deps "$here\wheels\fieldsync-@VERSION@-py3-none-any.whl"
if ($LASTEXITCODE -ne 0) { Write-Error "The installation failed." }

$scripts = "$Target\Scripts"
$path = [Environment]::GetEnvironmentVariable("Path", "User")
if (($path -split ";") -notcontains $scripts) {
    [Environment]::SetEnvironmentVariable("Path", "$scripts;$path", "User")
}
& "$scripts\fieldsync.exe" --version
Write-Output "Installed in $Target. Open a new terminal and run: fieldsync --help"
